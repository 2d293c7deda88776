"""Live events to browsers: one reader of the event stream per web process hands frames to its sockets."""
