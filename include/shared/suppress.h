/* suppress.h: names of analyser warnings, for #pragma prefast, which no compiler here reads. */
#pragma once
