r"""The monitoring engine: profiles of columns, distances between them, checks and their report.

    paths --reading--> batches --table--> Profile --\
                                                     checks.evaluate -> Report -> JSON, page
    traffic --capture--> batches --table--> Profile -/

`analyse` does all of it from one description (`analysis.py`), and `python -m cloudml.profile` does that in a job.

Tables are counted column by column (`files`, `counting`), which are hot paths. What was found in a part of the data may
be kept (`parts`), so that a capture that grows costs only what is new.

What applies to which kind of column:

| kind | psi js linf chi2 | ks wasserstein out_of_range | new_category | missing |
|---|---|---|---|---|
| number, time | yes | yes | | yes |
| boolean, category | yes | | yes | yes |
| opaque (lists, structures, bytes), empty | | | | yes |

psi, js, linf and chi2 compare shares of the values that are there. Numbers are cut into ten bins at the baseline's
quantiles, the outer ones open; a baseline of at most ten distinct numbers is compared value by value, with one bin for
any other. Categories are compared by name, the 100 most frequent of each side, with one bin for the rest.

What happens with values that are awkward:

| what | what happens |
|---|---|
| null, NaN | missing; part of no distribution |
| value not readable as the baseline's kind | counted as invalid; missing |
| infinity | a value: in the outer bins of psi, js, linf, chi2 and at the ends of ks; not in wasserstein, mean and range; out of range unless the baseline had the same infinity |
| boolean | the categories true and false |
| date, time | seconds since 1970 UTC; without a zone taken as UTC |
| constant column | compared by value: any other value is seen by psi, js, linf, chi2 |
| column without a value on one side | missing is computed; any other metric has no value (null) and a note, and is violated only if the check names the column |
| unseen category | its share is new_category; a bin of its own elsewhere |
| text with more than 1000 different values | the most frequent by name, the rest in one bin; new_category, asked of such a baseline, has no value and a note |
| capture without rows | the state is no_data, never ok; so it is when no check gave a number |
| column absent from the capture | listed as absent; violates only a check that names it (missing is then 1); a label is absent by right |
| column that the baseline lacks | listed as extra; not checked |
| metric named for a column of a kind it does not apply to | SpecError that lists what applies |
| value beyond what a float holds (1e308) | null and a note, and violated |
| file, line, cell that cannot be read | counted and listed in the report's problems; the rest is read |
"""  # noqa: E501 -- rows of a table

from cloudml.profile.analysis import analyse
from cloudml.profile.capture import Source, capture_profile, profiles
from cloudml.profile.checks import Check, Pair, evaluate, parse
from cloudml.profile.kinds import Kind
from cloudml.profile.metrics import METRICS
from cloudml.profile.page import page
from cloudml.profile.reading import read
from cloudml.profile.report import Report, Result, State
from cloudml.profile.table import Profile

__all__ = [
    "METRICS",
    "Check",
    "Kind",
    "Pair",
    "Profile",
    "Report",
    "Result",
    "Source",
    "State",
    "analyse",
    "capture_profile",
    "evaluate",
    "page",
    "parse",
    "profiles",
    "read",
]
