/* csq.h: cancel-safe queues of IRPs. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <wdm.h>
