// This machine's clocks: the steady one since the start, and the wall's.
#pragma once

#include "proto/vocabulary.h"

namespace fieldpost::runtime {

Now now();

// The processor's time that this thread has used. Waiting for a disk is not in it.
std::chrono::nanoseconds used_by_this_thread();

}  // namespace fieldpost::runtime
