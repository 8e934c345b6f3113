/** Creates models of any architecture: the only package that depends on all of them. */
@org.jspecify.annotations.NullMarked
package io.stillhouse.model.factory;
