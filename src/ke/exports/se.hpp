// The rules of this family's exports, and the door.
#pragma once

#include "ke/export_door.hpp"

#include "ke/exports/rules_begin.inc"
#include "ke/exports/se.def"
#include "ke/exports/rules_end.inc"
