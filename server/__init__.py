"""HTTP: one file for each dialect, each turning JSON into the engine's request and its events into JSON."""
