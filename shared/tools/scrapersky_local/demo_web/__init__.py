"""A small web of made-up businesses on `.example` names, served on loopback: what the demo and the tests scan."""
