"""Where an installation puts `tritloom.bit`, `tritloom.hwh` and `accel.json`, so that PYNQ and the runtime find them.

The folder is registered as `pynq.overlays`: `pynq.Overlay("tritloom.bit")` loads the file from anywhere.
"""
