/* windef.h: the words of Win32 that drivers share with applications. */
#pragma once

#include <minwindef.h>
