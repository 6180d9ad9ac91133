"""What each step of a subscription's life changes and bills: facts in, outcome out, nothing touched.

Every step is in two: `needs` says which usage the decision must know, the caller measures it, then the
decision itself. The same functions bill, preview and simulate.
"""
