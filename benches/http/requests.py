#!/usr/bin/env python3
"""Prints requests for wrk, one per line: token TAB body. requests.py WORKLOAD SECRET [USERS] > FILE"""
import sys

from workloads import line

workload, secret, *users = sys.argv[1:]
for user in range(1, int(users[0] if users else 200) + 1):
    print(line(workload, user, secret))
