"""Which variables git may set, and that each one it may not is told at its line, by every way to the desired state."""

from __future__ import annotations

import json

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state, kubespray_variables
from tests.unit.examples import CLUSTER, FILE, desired

VERSION = 'version: "1.36.3"'
LINE = next(n for n, line in enumerate(CLUSTER.splitlines(), 1) if VERSION in line)
TEMPLATE = "{{ lookup('pipe', 'touch /tmp/canary') }}"


def refused(variables: str, *allowed: str) -> list[Problem]:
    cluster = desired((VERSION, f"{VERSION}\n    variables: {variables}"))[0]
    return kubespray_variables.check(cluster, allowed)


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        (f'{{x: "{TEMPLATE}"}}', "x"),
        ('{x: "{% for a in b %}"}', "x"),
        ('{x: "a {# b"}', "x"),
        ("{x: \"#jinja2: variable_start_string: '[['\\n[[ x ]]\"}", "x"),
        (f'{{a: [1, {{b: ["{TEMPLATE}"]}}]}}', "a.1.b.0"),
        (f'{{a: {{"{TEMPLATE}": 1}}}}', "a."),
        (f'{{"{TEMPLATE}": 1}}', ""),
        ("{x: ../../../tmp/x}", "x"),
        ("{x: [/usr/../tmp]}", "x.0"),
        ("{etcd_deployment_type: /tmp/x}", "etcd_deployment_type"),
        (
            "{kube_apiserver_enable_admission_plugins: [PodSecurity, /tmp/x]}",
            "kube_apiserver_enable_admission_plugins.1",
        ),
        ('{"a b": 1}', "a b"),
        ('{"a-b": 1}', "a-b"),
        ('{"": 1}', ""),
        ('{"ünsafe": 1}', "ünsafe"),
        (f"{{{'a' * 200}: 1}}", "aaa"),
    ],
)
def test_a_template_or_a_way_out_is_refused_where_it_stands(variables: str, path: str) -> None:
    problems = refused(variables)
    assert problems
    for problem in problems:
        assert (problem.file, problem.line) == (FILE, LINE + 1)
        assert problem.path.startswith(f"spec.kubernetes.variables.{path}")
        assert "ansible.allowVariables" in (problem.hint or "")


@pytest.mark.parametrize(
    "name",
    """
    ansible_connection ansible_host ansible_user ansible_python_interpreter ansible_ssh_common_args ansible_become
    ansible_become_exe ansible_become_pass ansible_shell_executable ansible_facts ANSIBLE_ssh_executable
    _ansible_debug become become_user become_method kube_become my_interpreter delegate_to download_delegate
    delegate_facts ssh_common_args ssh_bastion_config_name scp_extra_args private_key_file remote_user remote_tmp
    su_user sudo_exe callback_plugins callbacks_enabled stdout_callback action_plugins connection_plugins
    strategy_plugins filter_plugins library module_path module_utils roles_path collections_path lookup_plugins
    vars_plugins inventory_plugin connection environment hosts vars local_action strategy hostvars groups
    inventory_hostname omit lookup query vars_files artifacts_dir credentials_dir inventory_dir inventory_file
    playbook_dir download_cache_dir local_release_dir local_tmp kubeconfig_localhost
    kubeconfig_localhost_ansible_host kubectl_localhost download_localhost download_run_once download_force_cache
    image_info_command_on_localhost container_manager_on_localhost image_pull_command docker_image_info_command
    image_command_tool post_upgrade_hooks post_upgrade_hook pre_cmd proxy_env proxy_disable_env cinder_cacert
    gcp_pd_csi_sa_cred_file etcd_snapshot custom_cni_manifests cert_manager_templates included_tasks_file
    first_kube_control_plane
    """.split(),  # noqa: SIM905 - so many words are easier to read like this
)
def test_names_that_touch_this_machine_are_refused(name: str) -> None:
    (problem,) = refused(f"{{fine: 1, {name}: x}}")
    assert (problem.file, problem.line) == (FILE, LINE + 1)
    assert repr(name) in problem.message
    assert refused(f"{{{name}: x}}", name) == []
    assert len(refused(f"{{{name}: x}}", "another")) == 1


@pytest.mark.parametrize(
    "name",
    """
    supplementary_addresses_in_ssl_keys auto_renew_certificates kube_network_plugin loadbalancer_apiserver_localhost
    control_plane_node_become_ready_tries local_path_provisioner_enabled local_volume_provisioner_enabled http_proxy
    https_proxy no_proxy files_repo kube_image_repo registry_host calico_ipip_mode kubelet_custom_flags bin_dir
    kube_apiserver_enable_admission_plugins containerd_registries_mirrors metrics_server_enabled kube_vip_enabled
    sandbox_older_nodes etcd_deployment_type kubelet_eviction_hard cluster_name
    """.split(),  # noqa: SIM905
)
def test_what_people_set_is_let_through(name: str) -> None:
    assert refused(f'{{{name}: ["https:example.org", "$HOME", "a: {{b}}", "a..b", "{{}}", 1, true, null]}}') == []


def test_what_this_machine_allows_may_be_a_template() -> None:
    assert refused(f'{{x: "{TEMPLATE}", ansible_connection: local}}', "x", "ansible_connection") == []


def test_the_fleets_defaults_are_checked_at_their_own_line() -> None:
    fleet = (
        "apiVersion: research.moc/v1alpha1\nkind: Fleet\nmetadata: {name: all}\nspec:\n  defaults:\n    kubernetes:\n"
        f'      variables:\n        x: "{TEMPLATE}"\n'
    )
    files = {FILE: CLUSTER.encode(), "desired/fleet.yaml": fleet.encode()}
    with pytest.raises(Invalid) as caught:
        desired_state.load(files)
    assert [(p.file, p.line) for p in caught.value.problems] == [("desired/fleet.yaml", 8)]
    assert desired_state.load(files, allowed_variables=["x"])


@pytest.mark.parametrize(
    "user", [TEMPLATE, "-oProxyCommand=x", "a b", "", "root;id", "a\nb", "ü", "x" * 33, "a/b", "$x"]
)
def test_the_ssh_user_is_a_users_name(user: str) -> None:
    with pytest.raises(Invalid) as caught:
        desired_state.load({FILE: CLUSTER.replace("user: cloud", f"user: {json.dumps(user)}").encode()})
    line = next(n for n, line in enumerate(CLUSTER.splitlines(), 1) if "user: cloud" in line)
    assert [(p.file, p.line, p.path) for p in caught.value.problems] == [(FILE, line, "spec.ssh.user")]


@pytest.mark.parametrize("user", ["ubuntu", "cloud-user", "core", "rocky", "_apt", "a.b", "Admin1", "x" * 32])
def test_usual_users_are_let_through(user: str) -> None:
    (cluster,) = desired_state.load({FILE: CLUSTER.replace("user: cloud", f"user: {user}").encode()})
    assert cluster.cluster.spec.ssh.user == user
