"""Scoring of a sealed split for its entrants: who they are, how often they may try, and when a file takes the place."""
