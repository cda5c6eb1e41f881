/* basetyps.h: the words of COM interfaces that GUID headers use. */
#pragma once

#include <guiddef.h>
