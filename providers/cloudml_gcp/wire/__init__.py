"""How requests of Google's services travel: routes over HTTP, and operations that take their time."""
