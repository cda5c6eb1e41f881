#include "ke/irql.hpp"
#include "io/device.hpp"
