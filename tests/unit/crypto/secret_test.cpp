// Goal: secrets lie in memory that the system neither swaps nor dumps, and nothing of them stays
// when they go.
// Method: the kernel's flags of the pages that they lie in.
#include "crypto/secret.h"

#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "crypto/identity.h"

using namespace fieldpost;
using namespace fieldpost::crypto;

namespace {

// "rd wr mr mw me lo dd ..." of the mapping that holds `address`: proc(5), smaps.
std::string flags_of(const std::byte* address) {
    std::ifstream maps("/proc/self/smaps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    bool is_inside = false;
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t from = 0;
        std::uintptr_t to = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
            is_inside = from <= wanted && wanted < to;
        }
        if (is_inside && line.starts_with("VmFlags:")) {
            return line + " ";
        }
    }
    return "";
}

bool may_lock_memory() {
    constexpr std::size_t bytes = 64U << 10;
    void* page = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool may = page != MAP_FAILED && ::mlock(page, bytes) == 0;
    ::munmap(page, bytes);
    return may;
}

}  // namespace

TEST_CASE("keys lie in memory that is neither swapped nor dumped", "[crypto]") {
    // The sanitizers answer mlock() themselves, with success, and lock nothing: under them the
    // pages are only checked for not being dumped.
#if defined(__SANITIZE_ADDRESS__) || defined(FIELDPOST_THREAD_SANITIZER)
    constexpr bool locks_for_real = false;
#else
    constexpr bool locks_for_real = true;
#endif
    const auto machine = MachineKeys::random(FoundingKey::random());
    const auto mail = MailKeys::random();
    const auto file_key = FileKey::random();
    for (const auto key :
         {machine.identity.seed().view(), machine.link.secret.view(), machine.store_key.view(),
          machine.founding_key.view(), mail.signing.seed().view(), mail.archive.secret.view(),
          file_key.view()}) {
        const auto flags = flags_of(key.data());
        CAPTURE(flags);
        CHECK(flags.find(" dd ") != std::string::npos);
        if (locks_for_real) {
            CHECK((flags.find(" lo ") != std::string::npos) == are_secrets_locked());
        }
    }
    // It says so if it cannot, and only then.
    CHECK(are_secrets_locked() == may_lock_memory());
}

TEST_CASE("a secret that goes leaves zeros, and its place is another's", "[crypto]") {
    const std::byte* place = nullptr;
    {
        const auto secret = SealKey::random();
        place = secret.view().data();
        CHECK(std::ranges::any_of(secret.view(), [](std::byte b) { return b != std::byte{0}; }));
    }
    const SealKey next;
    CHECK(next.view().data() == place);
    CHECK(std::ranges::all_of(next.view(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("a secret is moved without a second copy of it", "[crypto]") {
    auto secret = SealKey::random();
    const auto bytes = to_bytes(secret.view());
    const auto* place = secret.view().data();
    SealKey other;
    other = std::move(secret);
    CHECK(other.view().data() == place);
    const SealKey third(std::move(other));
    CHECK(third.view().data() == place);
    CHECK(equal(third.view(), bytes));
    // More than one block of them: each has a place of its own.
    std::vector<SealKey> many;
    for (std::uint8_t i = 0; i < 255; ++i) {
        many.push_back(SealKey::from(Bytes(SealKey::size, std::byte{i})));
    }
    for (std::uint8_t i = 0; i < 255; ++i) {
        for (const auto byte : many[i].view()) {
            REQUIRE(byte == std::byte{i});
        }
    }
    CHECK(equal(third.view(), bytes));
}
