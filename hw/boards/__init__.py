"""What a board is: one folder each, of data in plain Python, so that the runtime can read them without Amaranth.

`python -m hw.build --board NAME` emits for a board, `hw.report` counts its sites, `hw.analytic` chooses builds for it,
`sim` gives it its memory and `host` its build; all of them read it here (`registry`) and nowhere else.
"""
