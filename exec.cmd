@rem npm runs scripts by cmd on Windows, which has no exec: there it is this. Elsewhere the shell becomes the server, and gets its signals.
@%*
