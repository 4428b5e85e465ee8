"""What the lab shows: pure functions from arrays to markup, which know nothing of servers and browsers.

Every text that a user gave goes through ``markup.text``; every colour is a variable of the page's style, so that the
same markup serves light and dark.
"""
