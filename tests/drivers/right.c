#define FIRST_COUNT 20
#include "driver.h"
