/* Between the source and the header that has __try. */
#include <guarded.h>
