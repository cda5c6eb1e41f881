#include "io/irp.hpp"
