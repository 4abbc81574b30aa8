// This machine's clocks: the steady one since the start, and the wall's.
#pragma once

#include "proto/vocabulary.h"

namespace fieldpost::runtime {

Now now();

}  // namespace fieldpost::runtime
