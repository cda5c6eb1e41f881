/*
 * dirql_km/seh.h - what __try, __except, __finally and __leave are made of. C (gnu11 and later) and C++ (17 and later).
 *
 * Sources that use these keywords are compiled with
 *     -O0 -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks -fms-extensions -fshort-wchar
 * because a fault arrives between any two instructions: only without optimisation is every local variable in memory
 * then, where a handler finds it: with optimisation __try refuses to be compiled. `dirql cc` and dirql_add_driver see
 * to that. Other sources of the same driver may be optimised. Sanitizers ask for more:
 *     ASan          -fno-sanitize-address-use-after-scope, with clang also -mllvm -asan-stack=0
 *     TSan          gcc: --param tsan-instrument-func-entry-exit=0, clang: -mllvm -tsan-instrument-func-entry-exit=0
 *
 * How a statement expands. Each whole statement is one if-else, so it stands wherever a statement may, braces or not:
 *
 *     if (enter the frame; __builtin_setjmp == 0) {          first return: the guarded body
 *         guard variable whose cleanup leaves the frame      (return, goto, break, continue out of the body)
 *         { body }
 *       leave: leave the frame
 *     } else if (asked for the filter's answer) { answer }   second return: landed on by src/ke/seh_search.cpp
 *     else { handler }                                       or: else for (;;) { finally block }
 *
 * A filter is evaluated in its function's frame but on top of the raiser's stack, and does not come back here.
 * A __finally block is always landed on: by an unwind, or as a subroutine of leaving the body, whichever way.
 *
 * Limits: C++ destructors are not run by an unwind (as with Microsoft's compiler in the kernel). A `break` or
 * `continue` inside a __finally block that means a loop outside of it acts on the block itself. gcc takes the end of a
 * __try body before a __finally for reached (-Wreturn-type), even when it returns on every path.
 */
#pragma once

#if defined(__cplusplus)
extern "C" {
#endif

struct _EXCEPTION_POINTERS;

#define DIRQL_SEH_API __attribute__((visibility("default")))

/* Kinds of frames. A constant filter needs no landing: its value is the kind, so these are values that none has. */
enum { DIRQL_SEH_FILTER = 0x5e400000, DIRQL_SEH_FINALLY = 0x5e400001 };

/* How many handlers enclose this place, lexically. Each handler's scope declares its own, one higher. */
enum { dirql_seh_depth = 0 };

/* A __try whose body is running. Lives in the function that contains it. */
struct dirql_seh_frame {
    struct dirql_seh_frame *outer;
    void *landing[5]; /* __builtin_setjmp's: frame pointer, address, stack pointer */
    const void *function;
    int depth;
    int kind;
    __UINT64_TYPE__ door_state;
};

/* The beginning of the fiber's exception state. */
struct dirql_seh_fiber_state {
    struct dirql_seh_frame *chain; /* innermost first */
};

/* A __finally block that is running, and what its end has to go on with. */
struct dirql_seh_finally {
    int abnormal;
    unsigned code;
    void *resume;
    struct dirql_seh_frame *target;
};

DIRQL_SEH_API struct dirql_seh_fiber_state *dirql_seh_state(void);

/* Links the frame and returns its landing, for __builtin_setjmp to fill in. */
DIRQL_SEH_API void **dirql_seh_enter(struct dirql_seh_frame *frame, const void *function, int depth);
/* The body's end: unlinks the frame, runs its __finally block, and empties the guard. */
DIRQL_SEH_API void dirql_seh_leave(struct dirql_seh_frame **guard);
/* The guard's cleanup. With a frame still in the guard, the body is being left early. */
DIRQL_SEH_API void dirql_seh_abandon(struct dirql_seh_frame **guard);

/* Landed on for the filter's answer? dirql_seh_answer() hands it over and does not return. */
DIRQL_SEH_API int dirql_seh_asked(void);
DIRQL_SEH_API void dirql_seh_answer(int disposition);

DIRQL_SEH_API struct dirql_seh_finally dirql_seh_finally_begin(void);
DIRQL_SEH_API void dirql_seh_finally_end(const struct dirql_seh_finally *block) __attribute__((noreturn));

/* For the filter or handler of `function` at `depth`; 0 elsewhere. The pointers are a filter's only. */
DIRQL_SEH_API unsigned dirql_seh_code(const void *function, int depth);
DIRQL_SEH_API struct _EXCEPTION_POINTERS *dirql_seh_pointers(const void *function, int depth);

#if defined(__cplusplus)
}
#endif

/* What a filter expression answers. Any positive value means the first, any negative one the last. */
#define EXCEPTION_EXECUTE_HANDLER 1       /* unwind to this handler */
#define EXCEPTION_CONTINUE_SEARCH 0       /* not mine: ask the next outer frame */
#define EXCEPTION_CONTINUE_EXECUTION (-1) /* resume where it was raised, with the registers of the CONTEXT */

/*
 * Driver code gets the keywords; code built with the host's wide characters (the library, tests, applications' C++)
 * only on request, because the host's C++ library has a __try of its own.
 */
#if __SIZEOF_WCHAR_T__ == 2 || defined(DIRQL_ENABLE_SEH)

/* Braces and statements begin in one macro and end in another. */
/* clang-format off */

/* C and C++ have different words for storage, and for a constant, whose scope is one if-else statement. */
#if defined(__cplusplus)
#define DIRQL_SEH_STORAGE    struct dirql_seh_frame dirql_seh_storage;
#define DIRQL_SEH_NEW_FRAME  &dirql_seh_storage
#define DIRQL_SEH_NEXT_DEPTH enum { dirql_seh_depth = dirql_seh_depth + 1 };
#else
#define DIRQL_SEH_STORAGE
#define DIRQL_SEH_NEW_FRAME  &(struct dirql_seh_frame) { 0 }
#define DIRQL_SEH_NEXT_DEPTH (void) sizeof(enum { dirql_seh_depth = dirql_seh_depth + 1 }),
#endif

/*
 * A landing on top of the raiser runs with a lower stack pointer than its function's own. clang would address
 * over-aligned locals from it, and store arguments that go in memory above it; not so in a function with a dynamic
 * allocation, be it of nothing.
 */
#if defined(__clang__)
#define DIRQL_SEH_PIN_LOCALS (void) __builtin_alloca(0);
#else
#define DIRQL_SEH_PIN_LOCALS
#endif

/* Each optimised __try is an error; a header's __try that nobody expands is none. */
#if !defined(__OPTIMIZE__)
#define DIRQL_SEH_UNOPTIMISED
#elif defined(__cplusplus)
#define DIRQL_SEH_UNOPTIMISED static_assert(false, DIRQL_SEH_REFUSAL);
#else
#define DIRQL_SEH_UNOPTIMISED _Static_assert(0, DIRQL_SEH_REFUSAL);
#endif
#define DIRQL_SEH_REFUSAL "a source that uses __try is compiled with -O0: give dirql_add_driver the word SEH"

#define DIRQL_SEH_CLEANUP __attribute__((unused, cleanup(dirql_seh_abandon)))

/* The kind of a frame is known only behind its body: a jump there and back fetches it before the body runs. */
#define __try                                                                                                          \
    if (DIRQL_SEH_STORAGE __builtin_setjmp(                                                                            \
            dirql_seh_enter(DIRQL_SEH_NEW_FRAME, __builtin_frame_address(0), dirql_seh_depth)) == 0) {                 \
        __label__ dirql_seh_fetch_kind, dirql_seh_body, dirql_seh_end;                                                 \
        DIRQL_SEH_UNOPTIMISED                                                                                          \
        struct dirql_seh_frame *const dirql_seh_entered = dirql_seh_state()->chain;                                    \
        goto dirql_seh_fetch_kind;                                                                                     \
    dirql_seh_body: {                                                                                                  \
        struct dirql_seh_frame *dirql_seh_guard DIRQL_SEH_CLEANUP = dirql_seh_entered;

#define DIRQL_SEH_KIND(kind_)                                                                                          \
    if (0) {                                                                                                           \
    dirql_seh_fetch_kind:                                                                                              \
        DIRQL_SEH_PIN_LOCALS                                                                                           \
        dirql_seh_entered->kind = (kind_);                                                                             \
        goto dirql_seh_body;                                                                                           \
    }

/* Nothing follows the body in the guard's scope, so gcc sees whether the body's end is reached (-Wreturn-type). */
#define __except(...)                                                                                                  \
        }                                                                                                              \
    dirql_seh_end: __attribute__((unused));                                                                            \
        DIRQL_SEH_KIND(__builtin_constant_p((__VA_ARGS__)) ? (int) (__VA_ARGS__) : DIRQL_SEH_FILTER)                   \
    } else if (DIRQL_SEH_NEXT_DEPTH dirql_seh_asked()) {                                                               \
        dirql_seh_answer((int) (__VA_ARGS__));                                                                         \
        __builtin_unreachable();                                                                                       \
    } else

#define __finally                                                                                                      \
    dirql_seh_end: __attribute__((unused));                                                                            \
        dirql_seh_leave(&dirql_seh_guard);                                                                             \
        }                                                                                                              \
        DIRQL_SEH_KIND(DIRQL_SEH_FINALLY)                                                                              \
    } else for (struct dirql_seh_finally dirql_seh_block = dirql_seh_finally_begin();;                                 \
                dirql_seh_finally_end(&dirql_seh_block))

#define __leave goto dirql_seh_end

#if !defined(__cplusplus)
#define try     __try
#define except  __except
#define finally __finally
#define leave   __leave
#endif

#define _exception_code()       dirql_seh_code(__builtin_frame_address(0), dirql_seh_depth)
#define _exception_info()       dirql_seh_pointers(__builtin_frame_address(0), dirql_seh_depth)
#define _abnormal_termination() (dirql_seh_block.abnormal)

#define exception_code          _exception_code
#define exception_info          _exception_info
#define abnormal_termination    _abnormal_termination
#define GetExceptionCode        _exception_code
#define GetExceptionInformation _exception_info
#define AbnormalTermination     _abnormal_termination

/* clang-format on */

#endif
