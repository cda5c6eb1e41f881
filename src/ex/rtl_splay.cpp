// Splay links as drivers use them on their own. A tree is its user's to synchronize.
#include "ke/exports/rtl_table.hpp"
#include "rtl/splay.hpp"

#include <ntddk.h>

using namespace dirql;

extern "C" {

PRTL_SPLAY_LINKS NTAPI RtlSplay(PRTL_SPLAY_LINKS links) {
    DIRQL_DOOR(RtlSplay);
    return rtl::splay(links);
}

PRTL_SPLAY_LINKS NTAPI RtlDelete(PRTL_SPLAY_LINKS links) {
    DIRQL_DOOR(RtlDelete);
    return rtl::remove_and_splay(links);
}

VOID NTAPI RtlDeleteNoSplay(PRTL_SPLAY_LINKS links, PRTL_SPLAY_LINKS* root) {
    DIRQL_DOOR(RtlDeleteNoSplay);
    rtl::remove_only(links, *root);
}

PRTL_SPLAY_LINKS NTAPI RtlSubtreeSuccessor(PRTL_SPLAY_LINKS links) {
    DIRQL_DOOR(RtlSubtreeSuccessor);
    return rtl::subtree_successor(links);
}

PRTL_SPLAY_LINKS NTAPI RtlSubtreePredecessor(PRTL_SPLAY_LINKS links) {
    DIRQL_DOOR(RtlSubtreePredecessor);
    return rtl::subtree_predecessor(links);
}

PRTL_SPLAY_LINKS NTAPI RtlRealSuccessor(PRTL_SPLAY_LINKS links) {
    DIRQL_DOOR(RtlRealSuccessor);
    return rtl::successor(links);
}

PRTL_SPLAY_LINKS NTAPI RtlRealPredecessor(PRTL_SPLAY_LINKS links) {
    DIRQL_DOOR(RtlRealPredecessor);
    return rtl::predecessor(links);
}

} // extern "C"
