#include "io/associated.hpp"

#include "io/irp.hpp"
#include "ke/exports/io.hpp"
#include "mm/mdl.hpp"

namespace dirql::io {

void finish_associated(PIRP irp, CCHAR boost) noexcept {
    PIRP master = irp->AssociatedIrp.MasterIrp;
    const LONG left = InterlockedDecrement(&master->AssociatedIrp.IrpCount);
    while (PMDL mdl = irp->MdlAddress) {
        irp->MdlAddress = mdl->Next;
        if ((mdl->MdlFlags & MDL_PAGES_LOCKED) != 0) mm::unlock_pages(mdl);
        mm::free_mdl(mdl);
    }
    free_irp(irp);
    if (left == 0) complete_request(master, boost);
}

} // namespace dirql::io

extern "C" PIRP NTAPI IoMakeAssociatedIrp(PIRP Irp, CCHAR StackSize) {
    DIRQL_DOOR(IoMakeAssociatedIrp);
    PIRP associated = dirql::io::allocate_irp(StackSize);
    if (associated == nullptr) return nullptr;
    associated->Flags |= IRP_ASSOCIATED_IRP;
    associated->AssociatedIrp.MasterIrp = Irp;
    associated->Tail.Overlay.Thread = Irp->Tail.Overlay.Thread;
    return associated;
}
