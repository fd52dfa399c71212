"""Compilers of single objects: make_<thing>(...) -> Object. Pure, byte for byte repeatable."""
