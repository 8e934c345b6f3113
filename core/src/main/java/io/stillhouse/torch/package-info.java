/**
 * Access to parts of libtorch that DJL does not bind: autograd per thread, TorchScript compiled
 * from resource files, and dropout whose masks do not depend on other threads.
 */
@org.jspecify.annotations.NullMarked
package io.stillhouse.torch;
