//! The contract as wasmtime's types, generated from `wit/action.wit`. Nothing of it leaves the crate.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "action",
    imports: { default: async | trappable },
    exports: { default: async },
});
