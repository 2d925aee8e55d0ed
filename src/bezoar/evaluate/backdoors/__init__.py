"""Backdoors, judged: a plan of heads, triggers and rates, its trainings, and what they measure."""
