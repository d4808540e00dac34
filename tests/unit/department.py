"""Lines as in the Department's files, with the columns that are read and one that is not."""

AREA = (
    "geographic_level,country_code,country_name,region_code,region_name,new_la_code,la_name,"
    "old_la_code"
)
PERCENT = "overall_absence_perc,authorised_absence_perc,unauthorised_absence_perc"
YEAR = f"time_period,{AREA},education_phase,enrolments,{PERCENT},pa_perc,time_identifier"
"""As in the file of 2025-26."""
WEEK = f"time_period,time_identifier,{AREA},school_type,{PERCENT}"
"""As in the file of 2022."""
EXACT = YEAR.replace("pa_perc", "enrolments_pa_10_exact_percent,enrolments_pa_50_exact_percent")
BIRMINGHAM = "Local authority,E92000001,England,E12000005,West Midlands,E08000025,Birmingham,330"
REGION = "Regional,E92000001,England,E12000005,West Midlands,,,"
ENGLAND = "National,E92000001,England,,,,,z"
LINE = f"202526,{BIRMINGHAM},Secondary,60000.5,9.25,6.05,3.2,25.5,Academic year"
