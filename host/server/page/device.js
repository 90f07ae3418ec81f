// Where the time of a token goes, as a table with bars.

import { element, figure } from "./element.js";

export class Device {
  constructor(place) {
    this.place = place;
  }

  show(status) {
    this.place.replaceChildren(element("p", { className: "hint" }, status ? `On ${status.device}.` : ""));
  }
}
