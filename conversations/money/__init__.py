"""Money: what conversations cost, by upstream's own times and a dated price table, and budgets that warn and stop.

`conversations.models.price` reckons; `settling` writes down what an ended conversation came to; `spending` adds up;
`budgets` says how budgets stand and refuses what they leave no room for; `keeping` changes prices and budgets.
"""
