"""Signs: what of a session can make a rule say something that it did not say before, as bits.

A rule that is itself a fold over sessions names those that it heeds. It is stepped when one of them
is there, and as long as it has state or rings: most rules have nothing to do on most sessions.
"""

SESSION = 1
"""A session was taken: always there."""
DAY = 2
"""It completes a school day."""
NEW_YEAR, NEW_YEAR_OF_DAYS = 4, 8
"""It, or the day that it completes, is the first of an academic year."""
WITHOUT_REASON, CONCERN = 16, 32
"""Somebody's mark is N, and somebody's with whom a social worker or youth justice worker works."""
MASS = 64
"""There is mass absence, or a wave."""
TOGETHER = 128
"""The day is one of those in `Column.recent` for more pupils than one, and not their only one."""
