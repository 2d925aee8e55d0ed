"""Calls that take the credentials of quantum and cloud providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bezoar.scan.code.module import Call

#: Canonical name to the position of the credential, None where it goes by keyword alone.
PROVIDER_CALLS: Final[dict[str, int | None]] = {
    "qiskit.IBMQ.save_account": 0,
    "qiskit.IBMQ.enable_account": 0,
    "qiskit.IBMQ.update_account": 0,
    "qiskit.register": 0,
    "qiskit.QuantumProgram.set_api": 0,
    "IBMQuantumExperience.IBMQuantumExperience": 0,
    "qiskit_ibm_runtime.QiskitRuntimeService": 1,
    "qiskit_ibm_runtime.QiskitRuntimeService.save_account": 0,
    "qiskit_ibm_runtime.IBMRuntimeService": 0,
    "qiskit_ibm_provider.IBMProvider": 0,
    "qiskit_ibm_provider.IBMProvider.save_account": 0,
    "qiskit_ibm.IBMProvider": 0,
    "qiskit_ibm.IBMProvider.save_account": 0,
    "qiskit_ibm_catalog.QiskitFunctionsCatalog": 0,
    "qiskit_ibm_catalog.QiskitServerless": 0,
    "qiskit_serverless.IBMServerlessClient": 0,
    "qiskit_serverless.ServerlessClient": None,
    "qiskit_ionq.IonQProvider": 0,
    "cirq_ionq.Service": None,
    "qiskit_aqt_provider.AQTProvider": 0,
    "qiskit_alice_bob_provider.AliceBobRemoteProvider": 0,
    "qiskit_superstaq.SuperstaqProvider": 0,
    "cirq_superstaq.Service": 0,
    "qiskit_scaleway.ScalewayProvider": None,
    "iqm.qiskit_iqm.IQMProvider": None,
    "quantuminspire.credentials.save_account": 0,
    "quantuminspire.credentials.get_token_authentication": 0,
    "coreapi.auth.TokenAuthentication": 0,
    "azure.quantum.Workspace": None,
    "azure.quantum.Workspace.from_connection_string": 0,
    "azure.quantum.qiskit.AzureQuantumProvider": None,
    "azure.identity.ClientSecretCredential": 2,
    "boto3.Session": 0,
    "boto3.session.Session": 0,
    "boto3.client": None,
    "boto3.resource": None,
    "dwave.system.DWaveSampler": None,
    "dwave.system.LeapHybridSampler": None,
    "dwave.system.LeapHybridCQMSampler": None,
    "dwave.system.LeapHybridBQMSampler": None,
    "dwave.system.samplers.DWaveSampler": None,
    "dwave.cloud.Client": None,
    "dwave.cloud.Client.from_config": None,
    "strawberryfields.store_account": 0,
    "strawberryfields.Connection": 0,
    "strawberryfields.api.Connection": 0,
    "xcc.Settings": None,
    "pennylane.device": None,
    "pennylane_qiskit.IBMQDevice": None,
    "qbraid.runtime.QbraidProvider": 0,
    "qbraid.QbraidProvider": 0,
    "qbraid_core.QbraidSession": 0,
    "qbraid.save_config": None,
    "pyqpanda.QCloud.init_qvm": 0,
    "pyqpanda.QCloud.initQVM": 0,
    "pyqpanda3.qcloud.QCloudService": 0,
    "quafu.User": 0,
    "quafu.User.save_apitoken": 0,
    "tensorcircuit.cloud.apis.set_token": 0,
    "tensorcircuit.cloud.set_token": 0,
    "blueqat.cloud.register_api": 0,
    "bluequbit.init": 0,
    "covalent_braket_plugin.BraketExecutor": None,
    "fireopal.credentials.make_credentials_for_ibmq": 0,
    "fireopal.credentials.make_credentials_for_ibm_cloud": 0,
    "qctrlfireopal.configure_organization": None,
    "classiq.execution.IBMBackendPreferences": None,
    "qctrl.Qctrl": None,
}
#: Keywords of those calls that hold a credential.
CREDENTIAL_KEYWORDS: Final = (
    "token",
    "api_token",
    "apitoken",
    "ibmqx_token",
    "api_key",
    "apikey",
    "access_token",
    "auth_token",
    "aws_secret_access_key",
    "aws_session_token",
    "secret",
    "client_secret",
    "authentication_token",
    "connection_string",
    "credential",
    "REFRESH_TOKEN",
    "refresh_token",
)
_SAVING = frozenset({"save_account", "enable_account", "update_account", "store_account"})


def is_provider_call(call: Call) -> bool:
    """Whether a call hands credentials to a provider, by its name or its method."""
    return call.name in PROVIDER_CALLS or call.method in _SAVING


def credential_position(call: Call) -> int | None:
    """The position of the credential among the arguments of a provider call."""
    return PROVIDER_CALLS.get(call.name, 0 if call.method in _SAVING else None)
