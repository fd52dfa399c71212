"""The main job of Rouse, told and measured: `make demo`."""
