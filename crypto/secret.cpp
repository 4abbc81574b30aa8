#include "crypto/secret.h"

#include <sodium.h>
#include <sys/mman.h>

#include <mutex>
#include <new>
#include <vector>

namespace fieldpost::crypto {

namespace {

// The pool has places of one size, because an office has only a few dozen secrets at a time. One
// block is enough for that, and any user may lock that much.
class SecretPlaces {
public:
    std::byte* take() {
        const std::lock_guard lock(mutex_);
        if (free_.empty()) {
            add_block();
        }
        auto* place = free_.back();
        free_.pop_back();
        return place;
    }
    void give_back(std::byte* place) noexcept {
        wipe({place, secret_bytes_max});
        const std::lock_guard lock(mutex_);
        free_.push_back(place);  // add_block() made room for it
    }
    bool are_locked() {
        const std::lock_guard lock(mutex_);
        if (count_ == 0) {
            add_block();
        }
        return are_locked_;
    }

private:
    static constexpr std::size_t block_bytes = 16U << 10;

    void add_block() {
        constexpr auto places = block_bytes / secret_bytes_max;
        free_.reserve(count_ + places);
        void* block = ::mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) {
            throw std::bad_alloc();
        }
        are_locked_ = sodium_mlock(block, block_bytes) == 0 && are_locked_;
        for (std::size_t i = 0; i < places; ++i) {
            free_.push_back(static_cast<std::byte*>(block) + i * secret_bytes_max);
        }
        count_ += places;
    }

    std::mutex mutex_;
    std::vector<std::byte*> free_;
    std::size_t count_ = 0;
    bool are_locked_ = true;
};

SecretPlaces& secret_places() {
    // Never destroyed: a secret may live as long as the process.
    static auto& places = *new SecretPlaces;
    return places;
}

}  // namespace

void start() {
    ensure(sodium_init() >= 0, "libsodium starts");
}

void wipe(std::span<std::byte> bytes) {
    sodium_memzero(bytes.data(), bytes.size());
}

void fill_random(std::span<std::byte> bytes) {
    if (bytes.empty()) {
        return;  // libsodium takes no null pointer, not even for zero bytes
    }
    randombytes_buf(bytes.data(), bytes.size());
}

std::byte* take_secret_place() {
    return secret_places().take();
}

void give_back_secret_place(std::byte* place) noexcept {
    if (place != nullptr) {
        secret_places().give_back(place);
    }
}

bool are_secrets_locked() {
    return secret_places().are_locked();
}

}  // namespace fieldpost::crypto
