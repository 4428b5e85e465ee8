"""The lab: a network in training in the browser, every number of it open.  ``chainrule lab`` starts it."""
