/* Says __try, and so is compiled unoptimised. */
#define FIRST_COUNT 10
#include "dialect.h"
#include "driver.h"
