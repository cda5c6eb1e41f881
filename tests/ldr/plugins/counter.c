/* A driver in the loader's sense: globals of every kind, imports of every kind, and a door for the test to reach them.
   The test passes a `struct view` where the kernel passes a driver object. */
#include "view.h"

extern int DbgPrint(const char*, ...);
extern int* KeFeatureBits;
extern int AbsentByChoice(void) __attribute__((weak));

static int calls = 5;
static int zeroed[3000];
static const char* greeting = "hello";
static int (*const print_constant)(const char*, ...) = DbgPrint;
static int (*print_variable)(const char*, ...) = DbgPrint;
static const int primes[] = {2, 3, 5, 7};
static const int* const third_prime = &primes[2];

static int bump(void) {
    zeroed[2999]++;
    return ++calls;
}

static int (*const operations[])(void) = {bump};

int DriverEntry(void* driver_object, void* registry_path) {
    struct view* view = driver_object;
    view->calls = &calls;
    view->last_zeroed = &zeroed[2999];
    view->constant = &primes[0];
    view->bump = operations[0];
    view->third_prime = *third_prime;
    view->feature_bits = *KeFeatureBits;
    view->weak_is_null = AbsentByChoice == 0;
    greeting = print_constant == print_variable ? greeting : "unequal";
    return DbgPrint("%s %p", greeting, registry_path);
}
