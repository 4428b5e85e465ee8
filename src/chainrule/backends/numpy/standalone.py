standalone = None
