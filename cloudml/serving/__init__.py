"""The neutral model server: local endpoints, custom containers, and models called without a socket."""
