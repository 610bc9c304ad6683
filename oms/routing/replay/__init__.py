"""Replay: the user's function runs once, by the control; a twin of the other side is judged on what was recorded.

``recorder`` writes down in the caller what the control does, ``reel`` carries it to the lane, ``virtual`` drives a twin through it in virtual
time, ``desk`` keeps one line of events for each breaker or budget and compares, ``effects`` is what the facade calls.
"""
