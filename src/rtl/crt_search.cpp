// qsort and bsearch. The comparison is driver code: it may fault and never come back, so nothing here is held meanwhile.
#include "rtl/crt.hpp"
#include "rtl/memory.hpp"

#include <utility>

using namespace dirql::rtl;

namespace {

using Compare = int (*)(const void*, const void*);
using CompareWithContext = int (*)(void*, const void*, const void*);

template <class Order> class HeapSort {
public:
    HeapSort(void* base, std::size_t size, Order order) : base_(static_cast<char*>(base)), size_(size), order_(order) {}

    // In place, and no deeper on the stack for more elements: a kernel stack is small.
    void sort(std::size_t count) {
        for (std::size_t root = count / 2; root-- > 0;) sift_down(root, count);
        while (count > 1) {
            swap(0, --count);
            sift_down(0, count);
        }
    }

private:
    char* at(std::size_t index) const { return base_ + index * size_; }

    void swap(std::size_t left, std::size_t right) {
        for (char *a = at(left), *b = at(right), *end = a + size_; a != end; ++a, ++b) std::swap(*a, *b);
    }

    void sift_down(std::size_t root, std::size_t count) {
        for (std::size_t child; (child = 2 * root + 1) < count; root = child) {
            if (child + 1 < count && order_(at(child), at(child + 1)) < 0) ++child;
            if (order_(at(root), at(child)) >= 0) return;
            swap(root, child);
        }
    }

    char* base_;
    std::size_t size_;
    Order order_;
};

template <class Order>
void* search(const void* key, const void* base, std::size_t count, std::size_t size, Order order) {
    auto* first = static_cast<const char*>(base);
    while (count != 0) {
        const char* const middle = first + count / 2 * size;
        const int difference = order(key, middle);
        if (difference == 0) return const_cast<char*>(middle);
        if (difference > 0) {
            first = middle + size;
            --count;
        }
        count /= 2;
    }
    return nullptr;
}

auto with_context(CompareWithContext compare, void* context) {
    return [=](const void* left, const void* right) { return compare(context, left, right); };
}

} // namespace

// Not stable, as documented.
DIRQL_CRT_FUNCTION void dirql_crt_qsort(void* base, std::size_t count, std::size_t size, Compare compare) {
    HeapSort(base, size, compare).sort(count);
}

DIRQL_CRT_FUNCTION void dirql_crt_qsort_s(void* base, std::size_t count, std::size_t size, CompareWithContext compare,
                                          void* context) {
    HeapSort(base, size, with_context(compare, context)).sort(count);
}

DIRQL_CRT_FUNCTION void* dirql_crt_bsearch(const void* key, const void* base, std::size_t count, std::size_t size,
                                           Compare compare) {
    return search(key, base, count, size, compare);
}

DIRQL_CRT_FUNCTION void* dirql_crt_bsearch_s(const void* key, const void* base, std::size_t count, std::size_t size,
                                             CompareWithContext compare, void* context) {
    return search(key, base, count, size, with_context(compare, context));
}
