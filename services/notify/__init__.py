"""Notify: decides who may know what of a bell, records it, and delivers it."""
