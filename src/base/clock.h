/* Monotonic time for limits and progress. Never part of a result. */
#ifndef BAL_BASE_CLOCK_H
#define BAL_BASE_CLOCK_H

double bal_now_s(void); /* seconds since an arbitrary start, monotonic */

#endif
