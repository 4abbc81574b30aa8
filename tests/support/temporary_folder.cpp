#include "tests/support/temporary_folder.h"

#include <stdlib.h>

#include "proto/result.h"

namespace fieldpost::tests {

TemporaryFolder::TemporaryFolder() {
    auto name = (std::filesystem::temp_directory_path() / "fieldpost-XXXXXX").string();
    ensure(mkdtemp(name.data()) != nullptr, "a test can make a folder");
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace fieldpost::tests
