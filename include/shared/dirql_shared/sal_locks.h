/* SAL 2: which locks a function takes, gives back or wants held. All expand to nothing. */
#pragma once

#define _Acquires_lock_(lock)
#define _Acquires_exclusive_lock_(lock)
#define _Acquires_shared_lock_(lock)
#define _Acquires_nonreentrant_lock_(lock)
#define _Releases_lock_(lock)
#define _Releases_exclusive_lock_(lock)
#define _Releases_shared_lock_(lock)
#define _Releases_nonreentrant_lock_(lock)
#define _Requires_lock_held_(lock)
#define _Requires_lock_not_held_(lock)
#define _Requires_exclusive_lock_held_(lock)
#define _Requires_shared_lock_held_(lock)
#define _Requires_no_locks_held_
#define _Create_lock_level_(level)
#define _Lock_level_order_(first, second)
#define _Has_lock_level_(level)
#define _Has_lock_kind_(kind)
#define _Guarded_by_(lock)
#define _Write_guarded_by_(lock)
#define _Interlocked_
#define _Internal_lock_level_order_(first, second)
#define _Post_same_lock_held_(lock)
#define _Function_ignore_lock_checking_(lock)
#define _Lock_kind_mutex_
#define _Lock_kind_event_
#define _Lock_kind_semaphore_
#define _Lock_kind_spin_lock_
#define _Lock_kind_critical_section_
#define __guarded_by(lock)
#define __write_guarded_by(lock)
#define __acquires_lock(lock)
#define __releases_lock(lock)
#define __requires_lock_held(lock)
#define __requires_lock_not_held(lock)
#define __acquires_exclusive_lock(lock)
#define __releases_exclusive_lock(lock)
#define __acquires_shared_lock(lock)
#define __releases_shared_lock(lock)
#define __has_lock_property(lock)
#define __interlocked
#define __no_competing_thread
