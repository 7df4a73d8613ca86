"""`config --explain` and `--explain-variable`: where each value of a stack came from.

route      a path as users write it, found in the model
layers     the files' documents and extended services, in the order of merging, each in long form
variables  the sources of a variable, strongest first
uses       every place that uses a variable, and what came out
origin     one value: its place, its variables, what it overrode
value, variable   the two commands; text   how they are printed
"""
