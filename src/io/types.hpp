// io's object types.
#pragma once

#include "ob/object_type.hpp"

namespace dirql::io {

extern const ob::ObjectType device_type;
extern const ob::ObjectType driver_type;
extern const ob::ObjectType file_type;

} // namespace dirql::io
