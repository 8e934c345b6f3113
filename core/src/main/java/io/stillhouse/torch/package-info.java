/**
 * Access to libtorch beyond DJL's bindings: autograd control, TorchScript, and deterministic
 * dropout.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.torch;
