// What stands where a conversation has no messages yet.

import { element } from "./element.js";
import { keyForm } from "./problem.js";

/** status, error: as `Service` has them; plain: whether the model continues text; useKey(text, remembered). */
export function welcome(place, { status, error, plain, useKey }) {
  const state = JSON.stringify([status?.model, status?.device, error?.kind, error?.message, plain]);
  if (place.dataset.state === state) return;  // what is being typed here stays
  place.dataset.state = state;
  place.replaceChildren(...(error?.kind === "key"
    ? [element("p", { className: "lead" }, error.message), keyForm(useKey)]
    : error ? [element("p", { className: "lead" }, error.message),
      element("p", {}, "What you write is kept, and sent when you ask for it.")]
      : [element("p", { className: "lead" }, status ? status.model : "…"),
        element("p", {}, plain
          ? "Begin a text; the model goes on with it. Sent with nothing in the field, it goes on from where it stopped."
          : "Ask something. Nothing you write leaves this browser and the server.")]));
}
