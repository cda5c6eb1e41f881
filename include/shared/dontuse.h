/* dontuse.h: in the WDK it deprecates string functions that do not know their target's size; compilers warn here. */
#pragma once
